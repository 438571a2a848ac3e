mod offer;
